import { readFileSync, writeFileSync } from 'node:fs';
import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'the token file is replaced and reloaded ten times a second, by half files, too, while a limited tenant hammers',
  bound: 'the old tokens stay until a whole new file is read, and a balance survives: 5 requests a second, 10 at once',
  server: 'secure',
  allowed: ['200', '429', '401', '503', '504', 'closed'],
  async run(client) {
    const file = process.env['HOSTILE_TOKEN_FILE'];
    const pid = Number(process.env['HOSTILE_SERVER_PID']);
    if (file === undefined || Number.isNaN(pid)) throw new Error('set HOSTILE_TOKEN_FILE and HOSTILE_SERVER_PID');
    const good = readFileSync(file, 'utf8');
    const request = post(RUN, 'text/plain', 'not good', ['authorization: Bearer limited-token']);
    const hammer = client.sendInTurns(5, () => request);
    await client.repeat(100, (round) => {
      const contents = [
        good,
        good.slice(0, 20),
        `${good}# ${round}\n`,
        'x'.repeat(1_000_000),
        `${good}late${round} token-${round}\n`,
      ];
      writeFileSync(file, contents[round % contents.length] ?? good);
      process.kill(pid, 'SIGHUP');
    });
    writeFileSync(file, good);
    process.kill(pid, 'SIGHUP');
    await hammer;
  },
});
