import { defineAttack } from '../../hostile-client.js';

const PIPELINE = '/admin/pipelines/hostile';
const HEADS = [
  ['host: evil.example'],
  ['host: 127.0.0.1', 'origin: https://evil.example'],
  ['host: 127.0.0.1', 'sec-fetch-site: cross-site', 'sec-fetch-mode: no-cors'],
  ['host: 127.0.0.1', 'sec-fetch-site: same-site'],
  ['host: 127.0.0.1', 'referer: https://evil.example/', 'sec-fetch-site: cross-site', 'sec-fetch-mode: navigate'],
  ['host: 127.0.0.1', 'origin: null'],
  ['host: 127.0.0.1.evil.example'],
  ['host: localhost:1@evil.example'],
];

export const attack = defineAttack(import.meta.url, {
  does: 'pages of other sites read and change through the admin port, also by a name that leads to this machine',
  bound: 'each is a 403',
  port: 'admin',
  allowed: ['400', '403', '429', 'closed'],
  async run(client) {
    await client.sendInTurns(4, (round) => {
      const headers = (HEADS[round % HEADS.length] ?? []).join('\r\n');
      const paths = [`GET ${PIPELINE}`, `GET ${PIPELINE}/decisions`, `POST ${PIPELINE}/pause`, `GET /metrics`];
      return `${paths[round % paths.length]} HTTP/1.1\r\n${headers}\r\ncontent-length: 0\r\n\r\n`;
    });
  },
});
