import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { field, grpcMessage, inferRequest, varint } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'prefixes of 4 GB, of less and of more than follows, two messages, none, flags, fields longer than the message',
  bound: 'a stated length takes no memory',
  port: 'grpc',
  allowed: ['grpc-0', 'grpc-3', 'grpc-4', 'grpc-8', 'grpc-12', 'grpc-13', 'closed'],
  async run(client) {
    const good = inferRequest('not good');
    const messages = [
      grpcMessage(good, 2 ** 32 - 1),
      grpcMessage(good, good.length - 1),
      grpcMessage(good, good.length + 1),
      Buffer.concat([grpcMessage(good), grpcMessage(good)]),
      Buffer.alloc(0),
      Buffer.alloc(3),
      grpcMessage(good, good.length, 1),
      grpcMessage(good, good.length, 255),
      grpcMessage(Buffer.concat([good, varint(7 * 8 + 2), varint(2 ** 40)])),
      grpcMessage(Buffer.alloc(1000, 0xff)),
      grpcMessage(Buffer.concat([field(1, 'hostile'), Buffer.alloc(100_000, 0x0b)])),
    ];
    const session = client.session();
    await client.repeat(5, (round) => {
      client.call(session, MODEL_INFER, messages[round % messages.length] ?? Buffer.alloc(0));
    });
  },
});
