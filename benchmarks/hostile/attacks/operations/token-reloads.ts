import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'the token file is replaced and reloaded ten times a second, by empty and broken files, too, while a limited tenant hammers',
  bound: 'the old tokens stay until a valid file is read, and a balance survives: 5 requests a second, 10 at once',
  server: 'secure',
  allowed: ['200', '429', '401', '503', '504', 'closed'],
  async run(client) {
    const file = process.env['HOSTILE_TOKEN_FILE'];
    const pid = Number(process.env['HOSTILE_SERVER_PID']);
    if (file === undefined || Number.isNaN(pid)) throw new Error('set HOSTILE_TOKEN_FILE and HOSTILE_SERVER_PID');
    const good = readFileSync(file, 'utf8');
    const request = post(RUN, 'text/plain', 'not good', ['authorization: Bearer limited-token']);
    const hammer = client.sendInTurns(5, () => request);
    const replace = (content: string): void => {
      writeFileSync(`${file}.next`, content);
      renameSync(`${file}.next`, file);
      process.kill(pid, 'SIGHUP');
    };
    await client.repeat(100, (round) => {
      const comment = `${good}# ${round}\n`;
      const contents = [
        good,
        `${good}north token rps=0 burst=x y\n`,
        comment,
        '',
        `${good}late${round} token-${round}\n`,
      ];
      replace(contents[round % contents.length] ?? good);
    });
    replace(good);
    await hammer;
  },
});
