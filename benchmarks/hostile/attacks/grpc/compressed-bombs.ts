import { gzipSync } from 'node:zlib';
import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { grpcMessage } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'messages of 16 to 250 KB that unpack to 16 and 256 MB, 20 a second',
  bound: 'unpacking stops at the largest body, and unpacked bytes count',
  port: 'grpc',
  async run(client) {
    const messages = [16, 256].map((mib) => {
      const packed = gzipSync(Buffer.alloc((mib << 20) - 1000));
      return grpcMessage(packed, packed.length, 1);
    });
    const session = client.session();
    await client.repeat(50, (round) => {
      const message = messages[round % messages.length] ?? Buffer.alloc(0);
      client.call(session, MODEL_INFER, message, { 'grpc-encoding': 'gzip' });
    });
  },
});
