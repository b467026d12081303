#!/usr/bin/env node
// The command a person types. Valid on Node 20 and without any package installed: it sets the repository up if needed,
// then hands over to dist/main.js under the Node that came with the packages.
import path from 'node:path';
import { launch } from './launch.js';
import { ensureBuilt, ensureInstalled, nodeBinary, repositoryRoot, SetupError } from './setup.js';

try {
  const root = repositoryRoot();
  ensureInstalled(root);
  ensureBuilt(root);
  handOver(root, nodeBinary(root), path.join(root, 'cli', 'dist', 'main.js'));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`vitalwire: ${error.message}\n`);
  process.exitCode = 3;
}

function handOver(root, node, main) {
  // A stack is half a dozen processes that load the same modules: Node keeps them compiled beside the packages.
  const env = { NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'vitalwire'), ...process.env };
  // Of young objects the command keeps 2 MB in place of 16, which it would only need while it loads.
  launch(node, ['--max-semi-space-size=2', main, ...process.argv.slice(2)], env);
}
