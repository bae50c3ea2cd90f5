import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { grpcMessage, inferRequest } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'calls with 60 KB of metadata, with 1,000 fields, with binary fields that are no base64',
  bound: 'a head of HTTP/2 is bounded, too',
  port: 'grpc',
  async run(client) {
    const session = client.session();
    const message = grpcMessage(inferRequest('not good'));
    const heads = [
      { 'x-large': 'a'.repeat(60_000) },
      Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`x-${index}`, 'a'])),
      { 'x-odd-bin': '!!!', 'x-request-id': 'a'.repeat(4000) },
    ];
    await client.repeat(10, (round) => client.call(session, MODEL_INFER, message, heads[round % heads.length]));
  },
});
