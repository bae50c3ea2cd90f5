/** Ports of the loopback address that nobody listens on. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Ports given out lately: a command takes a while until it listens on its own. */
const givenOut = new Set<number>();
const MOST_GIVEN_OUT = 512;

/** `count` free ports, other ones than those of the last calls. */
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
