/**
 * Finds text that is true on one machine only: absolute paths into somebody's folders, and the hosts of package
 * registries, which belong in npm's own configuration.
 */

/** One finding; `line` counts from 1. */
export interface MachineText {
  readonly line: number;
  readonly found: string;
}

const ABSOLUTE_PATH = new RegExp(
  `(?<![\\w.~}$)/-])/(?:${['root', 'work', 'tmp', 'home', 'Users'].join('|')})/[\\w.-]*`,
  'g',
);

const REGISTRY_HOST = new RegExp(
  [
    ['registry', 'npmjs', 'org'],
    ['registry', 'yarnpkg', 'com'],
    ['npm', 'pkg', 'github', 'com'],
    ['pypi', 'org'],
    ['files', 'pythonhosted', 'org'],
    ['static', 'crates', 'io'],
    ['proxy', 'golang', 'org'],
    ['repo1?', 'maven', '(?:apache|org)'],
    ['deb', 'debian', 'org'],
  ]
    .map((parts) => parts.join('\\.'))
    .join('|'),
  'g',
);

/** The machine paths and registry hosts in a text. */
export function findMachineText(text: string): MachineText[] {
  return text.split('\n').flatMap((content, index) =>
    [...content.matchAll(ABSOLUTE_PATH), ...content.matchAll(REGISTRY_HOST)].map(([found]) => ({
      line: index + 1,
      found,
    })),
  );
}
