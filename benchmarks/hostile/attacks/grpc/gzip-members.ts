import { deflateRawSync, gzipSync } from 'node:zlib';
import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { grpcMessage } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'compressed messages that unpack to little with much work: 50,000 empty members, 200,000 empty blocks, sums that lie',
  bound: 'work of unpacking is bounded by the packed size, and is done off the serving thread',
  port: 'grpc',
  allowed: ['grpc-3', 'grpc-5', 'grpc-8', 'grpc-13', 'closed'],
  async run(client) {
    const empty = gzipSync(Buffer.alloc(0));
    const head = gzipSync(Buffer.alloc(0)).subarray(0, 10);
    const emptyBlock = Buffer.of(0, 0, 0, 0xff, 0xff);
    const packed = [
      Buffer.concat(Array.from({ length: 50_000 }, () => empty)),
      Buffer.concat([head, ...Array.from({ length: 200_000 }, () => emptyBlock), deflateRawSync(''), Buffer.alloc(8)]),
      Buffer.concat([gzipSync(Buffer.alloc(60_000)).subarray(0, -8), Buffer.alloc(8, 7)]),
      Buffer.concat([empty.subarray(0, 3), Buffer.of(16), empty.subarray(4, 10), Buffer.alloc(900_000, 97)]),
    ];
    const sessions = Array.from({ length: 4 }, () => client.session());
    await client.repeat(50, (round) => {
      const message = packed[round % packed.length] ?? empty;
      for (const session of sessions) {
        client.call(session, MODEL_INFER, grpcMessage(message, message.length, 1), { 'grpc-encoding': 'gzip' });
      }
    });
  },
});
