/** CPU quota that the kernel gives this process, as in a pod or container with a CPU limit (cgroup v2 and v1). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
const GROUPS = '/proc/self/cgroup';

/** Text of a file; undefined if it cannot be read. */
export type ReadText = (path: string) => string | undefined;

const readText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/** Share of a core that this process may use; 1 with a whole core or more, and without a quota. */
export function quotaFractionOfProcess(read: ReadText = readText): number {
  const cores = ownFolders(read(GROUPS) ?? '').flatMap(({ folder, isUnified }) => {
    const text = isUnified
      ? read(join(folder, 'cpu.max'))
      : `${read(join(folder, 'cpu.cfs_quota_us'))} ${read(join(folder, 'cpu.cfs_period_us'))}`;
    const [quotaUs, periodUs] = (text ?? '').trim().split(/\s+/).map(Number);
    return quotaUs !== undefined && periodUs !== undefined && quotaUs > 0 && periodUs > 0 ? [quotaUs / periodUs] : [];
  });
  return Math.min(1, ...cores);
}

/** Folders of the process's own groups. In a container they are mounted as the root. */
function ownFolders(groups: string): readonly { readonly folder: string; readonly isUnified: boolean }[] {
  return groups.split('\n').flatMap((line) => {
    const [, controllers, ...path] = line.split(':');
    if (controllers === undefined) return [];
    const isUnified = controllers === '';
    if (!isUnified && !controllers.split(',').includes('cpu')) return [];
    const top = isUnified ? ROOT : join(ROOT, 'cpu');
    return [join(top, path.join(':')), top].map((folder) => ({ folder, isUnified }));
  });
}
