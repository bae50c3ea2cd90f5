import { defineAttack, MODEL_INFER } from '../../hostile-client.js';
import { field, grpcMessage, inferRequest, varint } from '../../http2-frames.js';

/** Tags of a field that the message does not have: begin of a group, end of a group, a varint. */
const [BEGIN, END, VARINT] = [varint(100 * 8 + 3), varint(100 * 8 + 4), varint(100 * 8)];

export const attack = defineAttack(import.meta.url, {
  does: 'messages with a million nested groups, with half a million empty unknown fields, with overlong varints and tags',
  bound: 'unknown fields are skipped without recursion, in linear time, or refused',
  port: 'grpc',
  async run(client) {
    const groups = 500_000;
    const messages = [
      inferRequest('a', Buffer.alloc(BEGIN.length * groups, BEGIN), Buffer.alloc(END.length * groups, END)),
      inferRequest('a', Buffer.alloc(BEGIN.length * groups, BEGIN)),
      inferRequest('a', Buffer.alloc(3 * groups, Buffer.concat([VARINT, Buffer.of(0)]))),
      inferRequest('a', Buffer.alloc(groups, field(101, '')), Buffer.alloc(60_000, 0xff)),
      inferRequest('a', field(4, Buffer.alloc(30_000, BEGIN))),
    ].map((message) => grpcMessage(message));
    const sessions = Array.from({ length: 4 }, () => client.session());
    await client.repeat(100, (round) => {
      for (const session of sessions) client.call(session, MODEL_INFER, messages[round % messages.length] ?? BEGIN);
    });
  },
});
