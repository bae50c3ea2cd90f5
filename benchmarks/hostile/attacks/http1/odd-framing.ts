import { defineAttack, RUN } from '../../hostile-client.js';

const HEADS = [
  `GET /livez\r\n`,
  `GET /livez HTTP/0.9\r\nhost: a\r\n\r\n`,
  `GET /livez HTTP/2.0\r\nhost: a\r\n\r\n`,
  `GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n`,
  `GET /livez HTTP/1.1\r\n\r\n`,
  `POST ${RUN} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  `POST ${RUN} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef`,
  `POST ${RUN} HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nabcde`,
  `POST ${RUN} HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551617\r\n\r\na`,
  `POST ${RUN} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  `POST ${RUN} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n`,
  `POST ${RUN} HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n`,
  `GET /livez HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n`,
  `GET /livez HTTP/1.1\nhost: a\n\n`,
  `GET /livez HTTP/1.1\r\nhost: a\r\nx: \u0000\r\n\r\n`,
  `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
  `CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n`,
];

export const attack = defineAttack(import.meta.url, {
  does: 'requests that two readers may frame in two ways, each on a connection of its own, 20 at a time',
  bound: 'none is accepted: 400, 404, 405, 501, 505 or a closed connection',
  allowed: ['400', '404', '405', '408', '501', '503', '505', 'closed'],
  async run(client) {
    await client.sendInTurns(20, (round) => HEADS[round % HEADS.length] ?? '');
  },
});
