import { describe, expect, it } from 'vitest';
import { addressesOf } from './remote-replica-launcher.js';

const known: Readonly<Record<string, readonly string[]>> = {
  pods: ['10.1.0.9', '10.1.0.10'],
  one: ['10.1.0.9'],
  both: ['::1', '127.0.0.1'],
  six: ['fd00::2', 'fd00::1'],
};

async function resolve(name: string): Promise<readonly string[]> {
  const addresses = known[name];
  if (addresses === undefined) throw new Error(`no address of ${name}`);
  return addresses;
}

describe('the addresses of a server', () => {
  it.each([
    ['http://pods:8080', ['http://10.1.0.10:8080', 'http://10.1.0.9:8080']],
    ['http://pods:8080/base', ['http://10.1.0.10:8080/base', 'http://10.1.0.9:8080/base']],
    ['grpc://pods:9000', ['grpc://10.1.0.10:9000', 'grpc://10.1.0.9:9000']],
    ['http://six:8080', ['http://[fd00::1]:8080', 'http://[fd00::2]:8080']],
  ])('are all of the name in %s', async (url, addresses) => {
    expect(await addressesOf(url, resolve)).toEqual(addresses);
  });

  it.each([
    ['one address', 'http://one:8080'],
    ['one address of each family', 'http://both:8080'],
    ['an address already', 'http://10.1.0.9:8080'],
    ['an address of IPv6', 'http://[::1]:8080'],
    ['a certificate of the name', 'https://pods:8080'],
    ['no address', 'http://unknown:8080'],
    ['no URL', 'somewhere'],
  ])('are the URL itself where there is %s', async (_, url) => {
    expect(await addressesOf(url, resolve)).toEqual([url]);
  });
});
