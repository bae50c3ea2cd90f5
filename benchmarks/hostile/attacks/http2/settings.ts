import { defineAttack } from '../../hostile-client.js';
import { PREFACE, settings } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections change the header table and the window in every frame and read no acknowledgement',
  bound: 'unsent acknowledgements are bounded, then the connection is closed (CVE-2019-9515)',
  port: 'grpc',
  async run(client) {
    const changes = Array.from({ length: 5000 }, (_, index) =>
      settings([1, index % 2 === 0 ? 0 : 65_536], [4, index % 2 === 0 ? 0 : 2 ** 31 - 1]),
    );
    const frames = Buffer.concat(changes);
    const sockets = Array.from({ length: 10 }, () => client.socket({ reads: false }));
    for (const socket of sockets) socket.write(Buffer.concat([PREFACE, settings()]));
    await client.repeat(20, () => {
      for (const socket of sockets) if (socket.writable && socket.writableLength < 1e6) socket.write(frames);
    });
  },
});
