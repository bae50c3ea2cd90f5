import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { field, grpcMessage, inferRequest } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'messages just within each limit: 4,000 parameters, 4,000 tensors, a million typed elements; 40 a second',
  bound: 'what a message may hold takes a few milliseconds to unpack',
  port: 'grpc',
  async run(client) {
    const parameter = (index: number) => field(4, Buffer.concat([field(1, `p${index}`), field(2, Buffer.of(8, 1))]));
    const typed = Buffer.concat([field(1, 'image'), field(2, 'UINT8'), field(5, field(4, Buffer.alloc(1_000_000, 1)))]);
    const messages = [
      inferRequest('a', ...Array.from({ length: 4000 }, (_, index) => parameter(index))),
      inferRequest('a', ...Array.from({ length: 4000 }, (_, index) => field(5, field(1, `t${index}`)))),
      Buffer.concat([field(1, 'hostile'), field(5, typed)]),
    ].map((message) => grpcMessage(message));
    const session = client.session();
    await client.repeat(25, (round) => {
      client.call(session, MODEL_INFER, messages[round % messages.length] ?? Buffer.alloc(0));
    });
  },
});
