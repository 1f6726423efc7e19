#!/usr/bin/env node
import { readFileSync } from 'node:fs';

const argv = process.argv.slice(2);

if (Number.parseInt(process.versions.node, 10) < 20) {
  console.error(`Error: forge needs Node 20.19 or newer, this is ${process.versions.node}.\nHint: Install a newer Node and try again.`);
  process.exitCode = 3;
} else if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
  // Answered here because loading the framework alone takes longer than Node's own start; a test compares the text with the framework's.
  const { name, version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  console.log(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}`);
} else {
  // The version was looked at above; the framework would load a library to look at it again.
  process.env.OCLIF_DISABLE_ENGINE_WARNING ??= '1';
  const { main } = await import('../dist/src/cli/main.js').catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.includes('dist/src/cli/main.js')) throw error;
    console.error('Error: forge is not built yet.\nHint: Run `npm ci`, which also builds, or `npm run build`.');
    process.exit(3);
  });
  await main({ argv });
}
