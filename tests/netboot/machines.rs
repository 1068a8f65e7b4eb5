//! Boot loaders that others wrote, in virtual machines: U-Boot, which sums up what it has read, and iPXE,
//! which runs it.

use std::fmt::Write as _;

use flate2::Crc;
use muster_netboot::mac::Mac;
use serde_json::json;
use tokio::process::Command;

use super::console::Console;
use super::lab::{Bench, FILE, file, image, script};
use super::pipe::Pipe;
use super::wire::{Wire, new_mac, ready};

const ARM: &str = "qemu-system-arm";
const X86: &str = "qemu-system-x86_64";
const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm/u-boot.bin";
/// What iPXE is to a PC: the memory of its network card.
const IPXE: &str = "/usr/lib/ipxe/qemu/pxe-virtio.rom";
/// What U-Boot says when it waits for a command.
const PROMPT: &str = "\n=> ";
/// The same of iPXE.
const SHELL: &str = "iPXE> ";
const CONTROL_B: u8 = 2;

/// A bench that serves all kinds of clients, with a place for a network card beside it.
struct Place {
    bench: Bench,
    pipe: Pipe,
    socket: &'static str,
}

impl Place {
    async fn make() -> Self {
        let bench = Bench::start(Wire::plain()).await;
        let (bridge, socket) = bench.wire.add_socket();
        bench.template("machines", &script(3_000)).await;
        bench.arm("machines", json!({ "dhcp": true })).await;
        let pipe = Pipe::open_on(&bench.wire, bridge, 68).await;
        Self { bench, pipe, socket }
    }

    /// A machine with a network card at the bench.
    fn machine(&self, program: &str, card: &str, mac: Mac) -> Command {
        let mut machine = self.bench.wire.client_command(program);
        machine.args(["-m", "128", "-nographic", "-nodefaults", "-monitor", "none"]);
        machine.args(["-serial", "stdio", "-netdev"]);
        machine.arg(format!("tap,id=n,ifname={},script=no,downscript=no", self.socket));
        machine.arg("-device").arg(format!("{card},netdev=n,mac={mac}"));
        machine
    }

    /// U-Boot, and that it waits for commands and finds the server by itself.
    async fn u_boot(&self, mac: Mac, settings: &[&str]) -> Console {
        let mut machine = self.machine(ARM, "virtio-net-device", mac);
        machine.args(["-M", "virt", "-bios", U_BOOT]);
        let mut console = Console::start(machine);
        console.expect("Hit any key to stop autoboot").await;
        console.press(b' ').await;
        console.expect(PROMPT).await;
        for setting in ["autoload no"].iter().chain(settings) {
            console.run(&format!("setenv {setting}"), PROMPT).await;
        }
        let said = console.run("dhcp", PROMPT).await;
        assert!(said.contains("DHCP client bound to address"), "{said}");
        console
    }
}

/// Has U-Boot read the file that it was told of, and sees that it is this one.
async fn load(console: &mut Console, name: &str, whole: &[u8]) {
    let said = console.run("tftpboot 0x42000000", PROMPT).await;
    assert!(said.contains(&format!("Filename '{name}'")), "{said}");
    assert!(said.contains(&format!("Bytes transferred = {} ", whole.len())), "{said}");
    let mut crc = Crc::new();
    crc.update(whole);
    let said = console.run("crc32 0x42000000 ${filesize}", PROMPT).await;
    assert!(said.contains(&format!("==> {:08x}", crc.sum())), "{said}");
}

#[tokio::test]
async fn u_boot_reads_a_script_and_sums_it_up_as_we_do() {
    if !ready(&["python3", ARM, U_BOOT]) {
        return;
    }
    let place = Place::make().await;
    let mac = new_mac();
    place.bench.allow(mac).await;
    let mut console = place.u_boot(mac, &["tftpblocksize 512"]).await;
    load(&mut console, FILE, &file(&script(3_000))).await;
    let board = place.bench.until(mac, "delivered").await;
    assert_eq!((&board["kind"], &board["arch"]), (&json!("dhcp"), &json!(null)));
    assert!(board["vendor_class"].as_str().unwrap().starts_with("U-Boot"), "{board}");
}

#[tokio::test]
async fn u_boot_reads_a_boot_image_and_sums_it_up_as_we_do() {
    if !ready(&["python3", ARM, U_BOOT]) {
        return;
    }
    let mut place = Place::make().await;
    let (mac, whole) = (new_mac(), image(1_000_001));
    place.bench.image("arm", &whole).await;
    place.bench.packages("arm").await;
    place.bench.introduce(&mut place.pipe, mac).await;
    place.bench.let_install(mac, None).await;
    // As a boot loader of MikroTik's says it, but by DHCP.
    let mut console = place.u_boot(mac, &["bootp_vci ARM__boot", "tftpwindowsize 8"]).await;
    load(&mut console, "linux.arm", &whole).await;
    let board = place.bench.until(mac, "installing").await;
    assert_eq!((&board["kind"], &board["arch"]), (&json!("dhcp"), &json!("arm")));
}

/// A script of iPXE that adds up numbers, one in each line, and their sum: another one says that a line
/// was not what it was.
fn numbers() -> (String, u32) {
    let (mut text, mut sum, mut number) = ("#!ipxe\nset sum:int32 0\n".to_owned(), 0, 1_u32);
    for _ in 0..2_000 {
        number = number * 7_919 % 99_991;
        sum += number;
        writeln!(text, "inc sum {number}").unwrap();
    }
    text += "echo The sum is ${sum:int32} END\n";
    (text, sum)
}

#[tokio::test]
async fn ipxe_reads_what_it_boots_and_runs_every_line_of_it() {
    if !ready(&["python3", X86, IPXE]) {
        return;
    }
    let mut place = Place::make().await;
    let (mac, (text, sum)) = (new_mac(), numbers());
    place.bench.image("x86", text.as_bytes()).await;
    place.bench.packages("x86").await;
    place.bench.introduce(&mut place.pipe, mac).await;
    place.bench.let_install(mac, None).await;
    let mut machine = place.machine(X86, "virtio-net-pci", mac);
    machine.args(["-boot", "n"]);
    let mut console = Console::start(machine);
    console.expect("Ctrl-B for the iPXE command line").await;
    console.press(CONTROL_B).await;
    console.expect(SHELL).await;
    // By DHCP alone: IPv6 would be waited for.
    let said = console.run("ifconf -c dhcp net0", SHELL).await;
    assert!(said.contains(" ok"), "{said}");
    let said = console.run("chain tftp://${next-server}/${filename}", " END").await;
    assert!(said.contains(&format!("The sum is {sum} END")), "{said}");
    let board = place.bench.until(mac, "installing").await;
    assert_eq!((&board["arch"], &board["sent_bytes"]), (&json!("x86"), &json!(text.len())));
}
