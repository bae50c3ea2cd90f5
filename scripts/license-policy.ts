/** Allowed licenses of dependencies, and exceptions for single packages, each with its reason. */
import type { InstalledPackage } from './installed-packages.js';
import { satisfies } from './license-expression.js';

export const ALLOWED_LICENSES: readonly string[] = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
  'Zlib',
];

/** A license that only the named packages may have. */
export interface LicenseException {
  readonly license: string;
  readonly packages: RegExp;
  readonly subject: string;
  readonly developmentOnly: boolean;
  readonly reason: string;
}

export const EXCEPTIONS: readonly LicenseException[] = [
  {
    license: 'LGPL-3.0-or-later',
    packages: /^@img\/sharp-/,
    subject: 'libvips, in the binary packages of sharp (`@img/sharp-*`)',
    developmentOnly: false,
    reason:
      'sharp loads this unmodified library dynamically, and anyone can replace it by their own build. npm installs it from the publisher; Equipoise does not contain or redistribute it',
  },
  {
    license: 'MPL-2.0',
    packages: /^lightningcss(-|$)/,
    subject: 'lightningcss (through vite, which vitest runs on and which builds the dashboard)',
    developmentOnly: true,
    reason: 'unmodified, and used only for building and testing; users of Equipoise get no file of it',
  },
  {
    license: 'MPL-2.0',
    packages: /^axe-core$/,
    subject: 'axe-core',
    developmentOnly: true,
    reason: 'unmodified, and used only in tests; users of Equipoise get no file of it',
  },
];

/** The packages whose license the policy does not allow. */
export function refusedPackages(packages: readonly InstalledPackage[]): InstalledPackage[] {
  return packages.filter(
    (candidate) =>
      !satisfies(
        candidate.license ?? '',
        (license) => ALLOWED_LICENSES.includes(license) || isExcepted(candidate, license),
      ),
  );
}

function isExcepted({ name, development }: InstalledPackage, license: string): boolean {
  return EXCEPTIONS.some(
    (exception) =>
      exception.license === license && exception.packages.test(name) && (development || !exception.developmentOnly),
  );
}
