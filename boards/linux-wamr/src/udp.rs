//! Datagrams over UDP, with addresses as docs/ABI.md has them: the octets of the IP address, then the port, big-endian.
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

const PORT_BYTES: usize = 2;

pub struct Udp {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl Udp {
    /// A socket towards a gateway `HOST:PORT`, which gets what is for nobody in particular.
    pub fn open(gateway: &str) -> io::Result<Self> {
        let gateway = gateway.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
        let any: IpAddr = match gateway {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Ok(Self { socket: UdpSocket::bind((any, 0))?, gateway })
    }

    /// A network that cannot take it now loses it, as a radio would.
    pub fn send(&self, datagram: &[u8], to: &[u8]) -> i32 {
        match self.socket.send_to(datagram, address(to).unwrap_or(self.gateway)) {
            Ok(bytes) => bytes as i32,
            Err(_) => -1,
        }
    }

    /// Waits for a datagram, and writes it to `buffer`. Nothing where the time is over, or it is too long.
    pub fn receive(&self, buffer: &mut [u8], wait: Duration) -> Option<(usize, Vec<u8>)> {
        let is_at_once = wait.is_zero();
        self.socket.set_nonblocking(is_at_once).ok()?;
        if !is_at_once {
            self.socket.set_read_timeout(Some(wait)).ok()?;
        }
        // One octet more than fits shows what is too long.
        let mut datagram = vec![0; buffer.len() + 1];
        let (bytes, from) = self.socket.recv_from(&mut datagram).ok()?;
        buffer.get_mut(..bytes)?.copy_from_slice(&datagram[..bytes]);
        Some((bytes, octets(from)))
    }
}

fn octets(address: SocketAddr) -> Vec<u8> {
    let mut octets = match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    octets.extend(address.port().to_be_bytes());
    octets
}

fn address(octets: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = octets.split_at_checked(octets.len().checked_sub(PORT_BYTES)?)?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(port.try_into().ok()?)))
}
