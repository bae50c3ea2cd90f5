import { execFileSync } from 'node:child_process';
import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'the disk is full: no file of the server may grow, while the load changes',
  bound: 'serves and adapts without a store, and says so as a fault',
  async run(client) {
    const pid = process.env['HOSTILE_SERVER_PID'];
    if (pid === undefined) throw new Error('set HOSTILE_SERVER_PID');
    execFileSync('prlimit', ['--pid', pid, '--fsize=0:unlimited']);
    try {
      await client.sendInTurns(5, () => post(RUN, 'text/plain', 'not good'));
    } finally {
      execFileSync('prlimit', ['--pid', pid, '--fsize=unlimited']);
    }
  },
});
