import { describe, expect, it } from 'vitest';
import { SharedPorts } from './shared-ports.js';

const at = (port: number) => ({ url: `http://127.0.0.1:${port}`, grpcAddress: `[::1]:${port + 1}` });
const asked = { port: 0, grpcPort: 0 };
const [a, b, c] = [{}, {}, {}];

describe('ports that fronts share', () => {
  it('are asked for as they were at first while one of them has them, then by number', () => {
    const ports = new SharedPorts(asked);
    expect([ports.next(a), ports.next(b)]).toEqual([asked, asked]);
    expect([ports.listens(at(7)), ports.listens(at(7))]).toEqual([true, true]);
    ports.gone(a);
    expect(ports.next(c)).toEqual(asked);
    ports.gone(b);
    ports.gone(c);
    expect(ports.next(a)).toEqual({ port: 7, grpcPort: 8 });
    expect(ports.listens(at(7))).toBe(true);
    expect(ports.next(b)).toEqual({ port: 7, grpcPort: 8 });
  });

  it('are not those of a front that was given new ones, because the others were gone before it had theirs', () => {
    const ports = new SharedPorts(asked);
    ports.next(a);
    ports.listens(at(7));
    ports.next(b);
    ports.gone(a);
    expect(ports.listens(at(9))).toBe(false);
    expect(ports.next(a)).toEqual({ port: 7, grpcPort: 8 });
  });

  it('are chosen anew where no front got as far as listening', () => {
    const ports = new SharedPorts(asked);
    ports.next(a);
    ports.gone(a);
    expect(ports.next(b)).toEqual(asked);
  });

  it.each([
    ['http://127.0.0.1', 80],
    ['https://127.0.0.1', 443],
  ])('are known where %s leaves them out', (url, port) => {
    const ports = new SharedPorts({ port });
    ports.next(a);
    ports.listens({ url });
    ports.gone(a);
    expect(ports.next(b)).toEqual({ port });
  });
});
