/** The page docs/reference/licenses.md: the dependencies of Equipoise, with license and purpose. */
import { DATA_AND_MODELS, PURPOSES } from './dependency-purposes.js';
import type { InstalledPackage } from './installed-packages.js';
import { ALLOWED_LICENSES, EXCEPTIONS } from './license-policy.js';

/** Markdown of the page; throws if a direct dependency has no purpose, or a purpose has no dependency. */
export function renderLicenses(packages: readonly InstalledPackage[]): string {
  const direct = packages.filter((candidate) => candidate.direct);
  assertPurposes(direct);
  return [
    '# Licenses',
    'Equipoise is under Apache-2.0 (see [LICENSE](../../LICENSE)). `npm run generate` generates this page from the lock file; `npm run check:licenses` fails if a package has a license that this page does not allow.',
    '## What Equipoise runs on',
    directTable(direct.filter(({ development }) => !development)),
    '## What builds and tests it',
    directTable(direct.filter(({ development }) => development)),
    '## What these bring along',
    'The table counts all packages by license, for all platforms, including the direct dependencies above.',
    summaryTable(packages),
    '## Data sets, models and files of other projects',
    table(['what', 'license', 'where'], DATA_AND_MODELS),
    '## What is allowed',
    `Any package may have one of these licenses: ${ALLOWED_LICENSES.join(', ')}. There are exceptions, each for the named packages only:`,
    EXCEPTIONS.map(({ license, subject, reason }) => `- **${license}**: ${subject}: ${reason}.`).join('\n'),
  ].join('\n\n');
}

function assertPurposes(direct: readonly InstalledPackage[]): void {
  const names = new Set(direct.map(({ name }) => name));
  const without = [...names].filter((name) => PURPOSES[name] === undefined);
  const stale = Object.keys(PURPOSES).filter((name) => !names.has(name));
  if (without.length > 0)
    throw new Error(`Say in scripts/dependency-purposes.ts what is used for: ${without.join(', ')}`);
  if (stale.length > 0)
    throw new Error(`No longer a dependency; remove from scripts/dependency-purposes.ts: ${stale.join(', ')}`);
}

function directTable(direct: readonly InstalledPackage[]): string {
  return table(
    ['package', 'version', 'license', 'purpose'],
    direct.map(({ name, version, license }) => [name, version, license ?? '', PURPOSES[name] ?? '']),
  );
}

function summaryTable(packages: readonly InstalledPackage[]): string {
  const licenses = [...new Set(packages.map(({ license }) => license ?? ''))].sort();
  const count = (license: string, development: boolean): string =>
    String(packages.filter((p) => (p.license ?? '') === license && p.development === development).length);
  return table(
    ['license', 'running', 'building and testing'],
    licenses.map((license) => [license, count(license, false), count(license, true)]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
