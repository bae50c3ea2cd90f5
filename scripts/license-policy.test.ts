import { describe, expect, it } from 'vitest';
import type { InstalledPackage } from './installed-packages.js';
import { satisfies } from './license-expression.js';
import { refusedPackages } from './license-policy.js';

describe('satisfies', () => {
  it.each([
    ['MIT', true],
    ['GPL-3.0', false],
    ['(MIT OR GPL-3.0)', true],
    ['GPL-3.0 OR MIT', true],
    ['MIT AND GPL-3.0', false],
    ['GPL-3.0 AND MIT OR MIT', true],
    ['MIT AND (GPL-3.0 OR MIT)', true],
    ['GPL-3.0 AND (MIT OR MIT)', false],
    ['', false],
    ['MIT MIT', false],
  ])('%s is %s when only MIT is allowed', (expression, verdict) => {
    expect(satisfies(expression, (license) => license === 'MIT')).toBe(verdict);
  });
});

describe('refusedPackages', () => {
  const candidate = (name: string, license: string | undefined, development = false): InstalledPackage => ({
    name,
    version: '1.0.0',
    license,
    direct: false,
    development,
  });

  it.each([
    candidate('left', 'MIT'),
    candidate('@img/sharp-libvips-linux-x64', 'LGPL-3.0-or-later'),
    candidate('lightningcss', 'MPL-2.0', true),
  ])('allows $name under $license', (allowed) => {
    expect(refusedPackages([allowed])).toEqual([]);
  });

  it.each([
    candidate('left', 'GPL-3.0'),
    candidate('left', undefined),
    candidate('other-lgpl', 'LGPL-3.0-or-later'),
    candidate('lightningcss', 'MPL-2.0', false),
  ])('refuses $name under $license', (refused) => {
    expect(refusedPackages([refused])).toEqual([refused]);
  });
});
