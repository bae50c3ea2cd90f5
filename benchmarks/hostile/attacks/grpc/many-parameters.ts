import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { field, grpcMessage, inferRequest } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'messages of 4 MB: 300,000 parameters, and four million empty tensors',
  bound: 'repeated fields are counted before the message is unpacked, up to the first one over',
  port: 'grpc',
  allowed: ['grpc-3', 'grpc-8', 'grpc-14', 'closed'],
  async run(client) {
    const parameters = Array.from({ length: 1000 }, (_, index) =>
      field(4, Buffer.concat([field(1, `p${index}`), field(2, Buffer.of(8, 1))])),
    );
    const manyParameters = Buffer.alloc(4_400_000, Buffer.concat(parameters));
    const messages = [
      grpcMessage(inferRequest('a', manyParameters)),
      grpcMessage(inferRequest('a', Buffer.alloc(8_000_000, field(5, '')))),
      grpcMessage(inferRequest('a', Buffer.alloc(8_000_000, field(6, '')))),
      grpcMessage(inferRequest('a', Buffer.alloc(8_000_000, field(7, '')))),
    ];
    const session = client.session();
    await client.repeat(250, (round) => {
      client.call(session, MODEL_INFER, messages[round % messages.length] ?? Buffer.alloc(0));
    });
  },
});
