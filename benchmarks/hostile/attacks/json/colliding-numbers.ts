import { defineAttack, postJson } from '../../hostile-client.js';

/** V8 hashes a text of digits to its value, without a seed. So these values share few places in its table of strings. */
function collidingTexts(count: number): string[] {
  const spread = 2 ** 16;
  const texts: string[] = [];
  for (let low = 0; texts.length < count; low++) {
    for (let high = 0; high < 256 && texts.length < count; high++) texts.push(String(high * spread + low));
  }
  return texts;
}

export const attack = defineAttack(import.meta.url, {
  does: 'JSON of 60 KB, 250 KB and 2 MB with texts of digits whose hashes collide in V8, as values and as names',
  bound: 'JSON that costs more than a few milliseconds is parsed off the serving thread',
  allowed: ['400', '413', '422', '503', '504', 'closed'],
  async run(client) {
    const values = [5500, 23_000, 180_000].map((count) =>
      postJson(`{"parameters":{"a":["${collidingTexts(count).join('","')}"]},"inputs":[]}`),
    );
    const names = [4000, 16_000].map((count) =>
      postJson(
        `{"parameters":{${collidingTexts(count)
          .map((each) => `"${each}":0`)
          .join(',')}},"inputs":[]}`,
      ),
    );
    const bodies = [...values, ...names];
    await client.sendInTurns(10, (round) => bodies[round % bodies.length] ?? '');
  },
});
