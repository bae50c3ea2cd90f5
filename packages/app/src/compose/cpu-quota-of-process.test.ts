import { expect, it } from 'vitest';
import { quotaFractionOfProcess } from './cpu-quota-of-process.js';

it.each([
  ['a pod with cgroup v2', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '15000 100000\n' }, 0.15],
  [
    'a service with cgroup v2',
    {
      '/proc/self/cgroup': '0::/system.slice/a:b.service\n',
      '/sys/fs/cgroup/system.slice/a:b.service/cpu.max': '50000 100000\n',
    },
    0.5,
  ],
  [
    'a pod with cgroup v1, whose own group is mounted as the root',
    {
      '/proc/self/cgroup': '4:memory:/kubepods/x\n3:cpu,cpuacct:/kubepods/x\n0::/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '25000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    0.25,
  ],
  ['more than a core', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '250000 100000\n' }, 1],
  ['no quota', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, 1],
  [
    'no quota with cgroup v1',
    {
      '/proc/self/cgroup': '1:cpu:/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    1,
  ],
  ['no control groups', {}, 1],
])('reads the quota of %s', (_, files: Readonly<Record<string, string>>, fraction) => {
  expect(quotaFractionOfProcess((path) => files[path])).toBe(fraction);
});
