import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isIPv4, SocketAddress } from 'node:net';

interface Address {
  readonly address: string;
  readonly port: number;
}

/**
 * Process that listens on an address of this machine, as `Process 17 (node)`. Undefined if /proc does not show it: not on
 * Linux, and for processes of other users.
 */
export function portHolder(wanted: Address): string | undefined {
  const tables = ['tcp', 'tcp6'].map((table) => shown(() => readFileSync(`/proc/net/${table}`, 'utf8'), ''));
  const sockets = new Set(shown(() => tables.flatMap((table) => listeningSockets(table, wanted)), []));
  if (sockets.size === 0) return undefined;
  const holds = (pid: string) =>
    shown(() => readdirSync(`/proc/${pid}/fd`), []).some((fd) =>
      sockets.has(shown(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '')),
    );
  const pid = shown(() => readdirSync('/proc'), []).find((name) => /^\d+$/.test(name) && holds(name));
  if (pid === undefined) return undefined;
  // A process chooses its name, which must not control the terminal.
  const name = shown(() => readFileSync(`/proc/${pid}/comm`, 'utf8'), '').replaceAll(/[^ -~]/g, '');
  return `Process ${pid} (${name})`;
}

/** Content that /proc shows; `nothing` if it cannot be read, as for a process that ended or of another user. */
function shown<Content>(read: () => Content, nothing: Content): Content {
  try {
    return read();
  } catch {
    return nothing;
  }
}

/**
 * Sockets in the text of /proc/net/tcp or tcp6 that keep others from listening on `wanted`. Columns: number, local
 * address, remote address, state (0A: listening), …; the tenth is the inode.
 */
export function listeningSockets(table: string, wanted: Address): readonly string[] {
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([, local = '', , state, , , , , , inode]) =>
    state === '0A' && overlap(addressOf(local), wanted) ? [`socket:[${inode}]`] : [],
  );
}

/** Reads `0100007F:1F90` as 127.0.0.1 and 8080: words of four bytes, the last byte first. */
function addressOf(local: string): Address {
  const [hex = '', port = ''] = local.split(':');
  const bytes = Buffer.from(hex, 'hex').swap32();
  return { address: bytes.length === 4 ? bytes.join('.') : ipv6Text(bytes), port: Number.parseInt(port, 16) };
}

/** Shortest text; `::ffff:127.0.0.1` as 127.0.0.1. */
function ipv6Text(bytes: Buffer): string {
  const address = bytes.toString('hex').replaceAll(/.{4}(?=.)/g, '$&:');
  return new SocketAddress({ family: 'ipv6', address }).address.replace(/^::ffff:(?=.*\.)/, '');
}

function overlap(one: Address, other: Address): boolean {
  const addresses = [one.address, other.address];
  const isSame = one.address === other.address || addresses.includes('::');
  return one.port === other.port && (isSame || (addresses.every(isIPv4) && addresses.includes('0.0.0.0')));
}
