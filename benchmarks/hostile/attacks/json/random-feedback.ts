import { randomBytes } from 'node:crypto';
import { defineAttack, postJson } from '../../hostile-client.js';

const FEEDBACK = '/v2/models/hostile/feedback';
const BODIES: readonly ((id: string) => unknown)[] = [
  (id) => ({ id, score: 1 }),
  (id) => ({ id: id.repeat(500), score: 1 }),
  (id) => ({ id, label: 'a'.repeat(60_000) }),
  (id) => ({ id, label: Array.from({ length: 6000 }, () => ({ a: [] })) }),
  () => ({ id: '__proto__', score: 1e308, item: 4_294_967_296 }),
  (id) => ({ id, item: -1, score: '1', label: null }),
];

export const attack = defineAttack(import.meta.url, {
  does: 'feedback for random ids, with labels of up to 60 KB, on 20 connections in turns',
  bound: 'feedback has at most 64 KiB; an unknown id is a 404 and leaves nothing behind',
  allowed: ['400', '404', '409', '413', '422', '503', 'closed'],
  async run(client) {
    await client.sendInTurns(20, (round) =>
      postJson(JSON.stringify(BODIES[round % BODIES.length]?.(randomBytes(16).toString('hex'))), FEEDBACK),
    );
  },
});
