import { describe, expect, it } from '@jest/globals'
import { isLoopbackAddress, isPublicAddress } from '../../lib/runtime/public-address.js'

describe('isPublicAddress', () => {
  it.each([
    '1.1.1.1',
    '93.184.216.34',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '223.255.255.255',
  ])('takes %s', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it.each(['2606:4700::6810:84e5', '2a00:1450:4001:81b::200e', '2001:4860:4860::8888'])(
    'takes %s',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )

  // RFC 6890 and the registries that go on from there
  it.each([
    ['this network', '0.0.0.0'],
    ['a tunnel to an IPv4 address (ISATAP)', '2a00::5efe:127.0.0.1'],
    ['a tunnel to an IPv4 address (ISATAP)', '2a00:1:2:3:200:5efe:a9fe:a9fe'],
    ['this network', '0.1.2.3'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['shared', '100.64.0.1'],
    ['shared', '100.127.255.255'],
    ['metadata of a cloud', '100.100.100.200'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['link-local', '169.254.0.1'],
    ['metadata of a cloud', '169.254.169.254'],
    ['metadata of a cloud', '192.0.0.192'],
    ['platform of a cloud', '168.63.129.16'],
    ['protocol assignments', '192.0.0.1'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['6to4 relay', '192.88.99.1'],
    ['AS112', '192.31.196.1'],
    ['AMT', '192.52.193.1'],
    ['benchmarking', '198.18.0.1'],
    ['benchmarking', '198.19.255.255'],
    ['multicast', '224.0.0.1'],
    ['multicast', '239.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['mapped', '::ffff:127.0.0.1'],
    ['mapped', '::ffff:10.0.0.1'],
    ['mapped', '::ffff:1.1.1.1'],
    ['mapped', '::ffff:7f00:1'],
    ['compatible', '::127.0.0.1'],
    ['translated', '::ffff:0:127.0.0.1'],
    ['translated', '64:ff9b::127.0.0.1'],
    ['translated', '64:ff9b::a9fe:a9fe'],
    ['translated', '64:ff9b:1::1'],
    ['6to4', '2002:7f00:1::'],
    ['6to4', '2002:a9fe:a9fe::1'],
    ['Teredo', '2001:0:7f00:1::1'],
    ['discard', '100::1'],
    ['ORCHID', '2001:20::1'],
    ['benchmarking', '2001:2::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['segment routing', '5f00::1'],
    ['not handed out', '4000::1'],
    ['unique local', 'fc00::1'],
    ['metadata of a cloud', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
  ])('S1 refuses %s: %s', (_range, address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each([
    '',
    'localhost',
    '0x1.1.1.1',
    '01.1.1.1',
    '1.1',
    '16843009',
    '1.1.1.1 ',
    '1.1.1.1.',
    '[2606:4700::1]',
    '①.1.1.1',
  ])('S1 refuses %j, which no resolver answers with', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('isLoopbackAddress', () => {
  it.each(['127.0.0.1', '127.255.255.254', '::1'])('takes %s', (address) => {
    expect(isLoopbackAddress(address)).toBe(true)
  })

  it.each([
    '',
    'localhost',
    '0x7f.1',
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '1.1.1.1',
    '::ffff:127.0.0.1',
    '169.254.169.254',
  ])('does not take %j', (address) => {
    expect(isLoopbackAddress(address)).toBe(false)
  })
})
