import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { grpcMessage, inferRequest } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'deadlines of a nanosecond, of 11,000 years, of no unit, of 100 digits; 200 calls a second',
  bound: 'a call that cannot make its deadline is refused at once, one without sense at once, too',
  port: 'grpc',
  allowed: ['grpc-0', 'grpc-3', 'grpc-4', 'grpc-8', 'grpc-13', 'grpc-14', 'closed'],
  async run(client) {
    const session = client.session();
    const message = grpcMessage(inferRequest('not good'));
    const deadlines = ['1n', '0n', '99999999H', '1', 'S', '-1S', '9'.repeat(100), '1e3S', '00000001u'];
    await client.repeat(5, (round) =>
      client.call(session, MODEL_INFER, message, { 'grpc-timeout': deadlines[round % deadlines.length] ?? '' }),
    );
  },
});
