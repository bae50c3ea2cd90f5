import { defineAttack } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '50 connections pipeline 1,000 questions for the whole history and for events to the admin port, and read none',
  bound: 'questions are limited by rate; pipelining and unread answers of a connection are bounded',
  port: 'admin',
  async run(client) {
    const paths = ['/admin/pipelines/hostile/history?maxPoints=3600', '/openapi.json', '/admin/events?after=0'];
    const bytes = paths
      .map((path) => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`)
      .join('')
      .repeat(333);
    await client.repeat(1000, () => {
      for (let count = 0; count < 50; count++) client.socket({ reads: false }).write(bytes);
    });
  },
});
