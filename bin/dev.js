#!/usr/bin/env node
// Runs the sources, whether or not dist/ exists; from any folder, which `node --import tsx` would not.
import { register } from 'tsx/esm/api';

register();
const { main } = await import('../src/cli/main.ts');
await main({ argv: process.argv.slice(2), development: true });
