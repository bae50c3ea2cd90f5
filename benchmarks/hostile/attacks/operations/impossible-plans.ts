import { defineAttack, post } from '../../hostile-client.js';

const PATH = '/admin/pipelines/hostile/plan';
const BODIES = [
  { arrivalRps: 25, sloLatencyMs: 1e-9 },
  { arrivalRps: 1e12 },
  { arrivalRps: 1e-12, sloLatencyMs: 1e12, budgetCpuCores: 1e12 },
  { arrivalRps: 200, budgetCpuCores: 1e9 },
  { arrivalRps: 25, pins: Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`s${index}`, {}])) },
];

export const attack = defineAttack(import.meta.url, {
  does: 'plans for an SLO of a picosecond, for 10^12 requests per second, for a billion cores',
  bound: 'planning runs off the serving thread and takes at most a few seconds',
  port: 'admin',
  allowed: ['200', '400', '403', '409', '422', '429', '503', 'closed'],
  async run(client) {
    await client.sendInTurns(3, (round) => {
      const body = JSON.stringify(BODIES[round % BODIES.length]);
      return Buffer.from(post(PATH, 'application/json', body).toString().replace('host: a', 'host: 127.0.0.1'));
    });
  },
});
