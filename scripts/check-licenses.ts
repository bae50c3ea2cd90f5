/** Fails if a package of the lock file has a license that license-policy.ts does not allow, or none. */
import { readInstalledPackages } from './installed-packages.js';
import { refusedPackages } from './license-policy.js';

const packages = readInstalledPackages('.');
const refused = refusedPackages(packages);
for (const { name, version, license } of refused) {
  console.log(
    `${name}@${version}: ${license ?? 'no license named'} is not allowed. Take another package, or state the reason in scripts/license-policy.ts.`,
  );
}
if (refused.length > 0) process.exitCode = 1;
else console.log(`${packages.length} packages, every license allowed.`);
