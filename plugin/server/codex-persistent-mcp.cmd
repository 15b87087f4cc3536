@npx -y codex-persistent-mcp %*
