// Validates entries for the MCP registry against its schema.

import fs from "node:fs";

import Ajv from "ajv";
import addFormats from "ajv-formats";

const [schema, ...entries] = process.argv.slice(2).map((file) => JSON.parse(fs.readFileSync(file, "utf8")));
// The schema has examples, which are no keyword of JSON Schema.
const ajv = addFormats(new Ajv({ allErrors: true, strict: false }));
const validate = ajv.compile(schema);
for (const entry of entries) {
  if (entry.$schema !== schema.$id) throw new Error(`${entry.$schema} is not ${schema.$id}`);
  if (!validate(entry)) throw new Error(ajv.errorsText(validate.errors, { separator: "\n" }));
}
const { name, ...nameless } = entries[0];
if (validate(nameless)) throw new Error(`an entry passes without its name ${name}`);
