class CodexPersistentMcp < Formula
  desc "MCP server that delegates work to OpenAI's Codex CLI"
  homepage "{{repository}}"
  version "{{version}}"
  license "MIT"

  on_macos do
    on_arm do
      url "{{url aarch64-apple-darwin}}"
      sha256 "{{sha256 aarch64-apple-darwin}}"
    end
    on_intel do
      url "{{url x86_64-apple-darwin}}"
      sha256 "{{sha256 x86_64-apple-darwin}}"
    end
  end

  on_linux do
    on_arm do
      url "{{url aarch64-unknown-linux-musl}}"
      sha256 "{{sha256 aarch64-unknown-linux-musl}}"
    end
    on_intel do
      url "{{url x86_64-unknown-linux-musl}}"
      sha256 "{{sha256 x86_64-unknown-linux-musl}}"
    end
  end

  def install
    bin.install "codex-persistent-mcp"
    generate_completions_from_executable(bin/"codex-persistent-mcp", "completions")
    system bin/"codex-persistent-mcp", "man", "--dir", man1
  end

  def caveats
    <<~EOS
      codex-persistent-mcp runs the Codex CLI (brew install --cask codex), which must be logged in: codex login
      Add the server to your client with: codex-persistent-mcp setup
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/codex-persistent-mcp --version")
    request = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",' \
              '"capabilities":{},"clientInfo":{"name":"brew","version":"1"}}}'
    assert_match "serverInfo", pipe_output(bin/"codex-persistent-mcp", "#{request}\n", 0)
  end
end
