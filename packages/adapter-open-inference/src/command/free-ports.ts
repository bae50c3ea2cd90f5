/** Free ports on loopback. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Recently assigned ports: a command needs time until it listens. */
const givenOut = new Set<number>();
const MOST_GIVEN_OUT = 512;

/** Returns `count` free ports that recent calls have not returned. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = await freePort();
    if (givenOut.has(port)) continue;
    givenOut.add(port);
    ports.push(port);
  }
  for (const port of givenOut) if (givenOut.size > MOST_GIVEN_OUT) givenOut.delete(port);
  return ports;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
