// Parses the Homebrew formula with the parser of Ruby itself.

import fs from "node:fs";

import { loadPrism } from "@ruby/prism";

const parse = await loadPrism();
const errors = (source) => parse(source).errors;
const formula = fs.readFileSync(process.argv[2], "utf8");
for (const error of errors(formula)) {
  const line = formula.slice(0, error.location.startOffset).split("\n").length;
  console.error(`${process.argv[2]}:${line}: ${error.message}`);
  process.exitCode = 1;
}
if (errors(formula.replace(/end\n$/, "")).length === 0) throw new Error("the parser finds no error at all");
