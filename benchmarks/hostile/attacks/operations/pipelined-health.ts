import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'ten connections pipeline 10,000 probes to the health port, unknown paths and heads of 15 KB among them',
  bound: 'pipelining is bounded on the health port, too',
  port: 'health',
  async run(client) {
    const requests = [get('/livez'), get('/readyz'), get('/x'), get('/livez', [`x: ${'x'.repeat(15_000)}`])];
    const bytes = requests.join('').repeat(250);
    const sockets = new Set<ReturnType<typeof client.socket>>();
    await client.repeat(100, () => {
      while (sockets.size < 10) {
        const socket = client.socket();
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      }
      for (const socket of sockets) if (socket.writable && socket.writableLength === 0) socket.write(bytes);
    });
  },
});
