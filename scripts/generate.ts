/** Writes the generated files. With `--check`, names outdated files instead and exits with 1. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { GENERATED, placeGenerated } from './generated-files.js';

const checkOnly = process.argv.includes('--check');
const outdated = new Set<string>();

for (const generated of GENERATED) {
  const current = existsSync(generated.path) ? readFileSync(generated.path, 'utf8') : '';
  const wanted = placeGenerated(current, generated, await generated.render());
  if (wanted === current) continue;
  outdated.add(generated.path);
  if (!checkOnly) writeFileSync(generated.path, wanted);
}

if (outdated.size === 0) {
  console.log(`${GENERATED.length} generated texts are up to date.`);
} else {
  const names = [...outdated].join(', ');
  console.log(checkOnly ? `Out of date: ${names}. Run: npm run generate` : `Wrote ${names}`);
  process.exitCode = checkOnly ? 1 : 0;
}
