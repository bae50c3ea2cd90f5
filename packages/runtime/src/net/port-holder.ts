import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Process that listens on a port of this machine, as `Process 17 (node)`. Undefined if /proc does not show it: not on
 * Linux, and for processes of other users.
 */
export function portHolder(port: number): string | undefined {
  try {
    const sockets = new Set(['tcp', 'tcp6'].flatMap((table) => listeningSockets(table, port)));
    const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && holdsOneOf(sockets, name));
    return pid === undefined ? undefined : `Process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
  } catch {
    return undefined;
  }
}

/** Columns of a table: number, local address, remote address, state (0A: listening), …; the tenth is the inode. */
function listeningSockets(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync(`/proc/net/${table}`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([, local = '', , state, , , , , , inode]) =>
    state === '0A' && local.endsWith(suffix) ? [`socket:[${inode}]`] : [],
  );
}

function holdsOneOf(sockets: ReadonlySet<string>, pid: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}
