/** HTTP/2 sessions that Node garbage-collects. Runs in a separate process, because a wrong order would end it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const compiled = new URL('../../dist/net/drain.js', import.meta.url).href;

/** Sends a call whose trailers have no end, ends the connection, and collects garbage as soon as the server has noticed. */
const program = `
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { connect, createServer as createNetServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
const { OpenSessions } = await import(${JSON.stringify(compiled)});

const frame = (type, flags, stream, payload) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const literal = (text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
const block = (...fields) => Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
const call = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'),
  frame(4, 0, 0, Buffer.alloc(0)),
  frame(1, 4, 1, block([':method', 'POST'], [':scheme', 'http'], [':path', '/a'], [':authority', 'a'])),
  frame(0, 0, 1, Buffer.from('body')),
  frame(1, 1, 1, block(['x-trailer', 'a'])),
]);

const server = createServer();
new OpenSessions(server, { windowBytes: 65535, limits: { mostConnections: 9, mostStreams: 9, onRefusal() {} } });
server.listen(0, '127.0.0.1');
await once(server, 'listening');

let collected = 0;
const counter = new FinalizationRegistry(() => collected++);
server.on('session', (session) => counter.register(session));
server.on('stream', (stream) => stream.on('error', () => {}).once('data', () => server.emit('called')));

// Its data arrive in the same turn as the end of a client, just after that end.
const bell = createNetServer((socket) => socket.on('data', () => gc()));
bell.listen(0, '127.0.0.1');
await once(bell, 'listening');
const rope = connect(bell.address().port, '127.0.0.1');

const clients = 10;
for (let count = 0; count < clients; count++) {
  const client = connect(server.address().port, '127.0.0.1').on('error', () => {}).resume();
  client.write(call);
  await once(server, 'called');
  // A client that has unread data would reset its connection.
  for (let turns = 0; turns < 10; turns++) await turn();
  client.destroy();
  rope.write('.');
}
while (collected < clients) {
  await turn();
  gc();
}
server.close();
bell.close();
rope.destroy();
console.log('collected', collected);
`;

it('are collected after their streams, although trailers are incomplete', { timeout: 60_000 }, async () => {
  const args = ['--expose-gc', '--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 50_000 });
  expect(stdout).toBe('collected 10\n');
});
