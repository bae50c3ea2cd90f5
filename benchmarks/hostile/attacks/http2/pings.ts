import { defineAttack } from '../../hostile-client.js';
import { FRAME, frame, PREFACE, settings } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections send pings without a pause and read none of the acknowledgements',
  bound: 'unsent acknowledgements are bounded, then the connection is closed (CVE-2019-9512)',
  port: 'grpc',
  async run(client) {
    const pings = Buffer.alloc(17 * 20_000, frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
    const sockets = Array.from({ length: 10 }, () => client.socket({ reads: false }));
    for (const socket of sockets) socket.write(Buffer.concat([PREFACE, settings()]));
    await client.repeat(20, () => {
      for (const socket of sockets) if (socket.writable && socket.writableLength < 1e6) socket.write(pings);
    });
  },
});
