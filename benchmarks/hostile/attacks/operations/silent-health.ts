import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '4,000 connections to the health port say nothing, half a request, or read none of 50 answers; closed ones return',
  bound: 'connections of the health port are bounded, and a full port closes a silent one for a new one',
  port: 'health',
  async run(client) {
    const openings = ['', 'GET /livez HTTP/1.1\r\nhost', 'GET /livez HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(50)];
    const open = (index: number): void => {
      const socket = client.socket({ reads: false });
      socket.write(openings[index % openings.length] ?? '');
      socket.once('close', () => client.isRunning && setTimeout(() => open(index), 1000));
    };
    for (let index = 0; index < 4000; index++) open(index);
    await client.ended;
  },
});
