#!/usr/bin/env node
// `npm run build`: installs if needed and builds everything, also when nothing seems to have changed.
import { ensureBuilt, ensureInstalled, repositoryRoot, SetupError } from './setup.js';

try {
  const root = repositoryRoot();
  ensureInstalled(root);
  ensureBuilt(root, { force: true });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`vitalwire: ${error.message}\n`);
  process.exitCode = 3;
}
