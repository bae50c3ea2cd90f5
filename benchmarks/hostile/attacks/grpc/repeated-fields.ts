import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { field, grpcMessage, inferRequest, varint } from '../../http2-frames.js';

export const attack = defineAttack(import.meta.url, {
  does: 'fields that occur once, a hundred thousand times: names, contents that merge, a parameter of the same name',
  bound: 'the last one counts; the earlier ones cost linear time and no memory that stays',
  port: 'grpc',
  async run(client) {
    const many = (part: Buffer, bytes: number): Buffer =>
      Buffer.alloc(Math.floor(bytes / part.length) * part.length, part);
    const same = field(4, Buffer.concat([field(1, 'timeout_ms'), field(2, Buffer.of(8, 1))]));
    const contents = field(5, Buffer.concat([field(1, Buffer.of(1)), field(4, Buffer.of(1))]));
    const shapes = field(3, Buffer.alloc(30_000, 1));
    const tensor = (...parts: Buffer[]): Buffer =>
      Buffer.concat([field(1, 'hostile'), field(5, Buffer.concat([field(1, 'image'), field(2, 'UINT8'), ...parts]))]);
    const messages = [
      inferRequest('a', many(field(1, 'hostile'), 900_000)),
      inferRequest('a', many(field(3, 'x'.repeat(100)), 900_000)),
      inferRequest('a', many(same, 60_000)),
      tensor(many(contents, 900_000)),
      tensor(shapes),
      tensor(many(Buffer.concat([varint(3 * 8), varint(0)]), 900_000)),
      tensor(many(field(4, Buffer.concat([field(1, 'a'), field(2, Buffer.of(8, 1))])), 300_000)),
    ].map((message) => grpcMessage(message));
    const sessions = Array.from({ length: 4 }, () => client.session());
    await client.repeat(100, (round) => {
      for (const session of sessions) client.call(session, MODEL_INFER, messages[round % messages.length] ?? same);
    });
  },
});
