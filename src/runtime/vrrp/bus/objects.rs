//! The objects on the bus, and what is answered about them: no bus, no clock.
//!
//! Paths, interfaces, values and errors are those of Debian's keepalived 2.2.7, whose D-Bus side is
//! GLib's. Its `Name` is declared a string and comes as a structure with one in it: so does ours,
//! since clients take it apart that way.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use zbus::zvariant::Value;

use crate::plan::vrrp::VirtualRouter;
use crate::plan::wire::Family;

pub(super) const VRRP: &str = "/org/keepalived/Vrrp1/Vrrp";
pub(super) const VRRP_INTERFACE: &str = "org.keepalived.Vrrp1.Vrrp";
pub(super) const INSTANCE_INTERFACE: &str = "org.keepalived.Vrrp1.Instance";
const INSTANCES: &str = "/org/keepalived/Vrrp1/Instance";

const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const PEER: &str = "org.freedesktop.DBus.Peer";

const INVALID_ARGS: &str = "org.freedesktop.DBus.Error.InvalidArgs";
const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";

const HEAD: &str = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n\
    \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n";

/// The D-Bus specification's "Standard Interfaces", where there is an object.
const STANDARD_XML: &str = r#"  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="out"/>
    </method>
    <method name="GetAll">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="a{sv}" name="properties" direction="out"/>
    </method>
    <method name="Set">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg type="s" name="interface_name"/>
      <arg type="a{sv}" name="changed_properties"/>
      <arg type="as" name="invalidated_properties"/>
    </signal>
  </interface>
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg type="s" name="xml_data" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg type="s" name="machine_uuid" direction="out"/>
    </method>
  </interface>
"#;

const VRRP_XML: &str = r#"  <interface name="org.keepalived.Vrrp1.Vrrp">
    <method name="PrintData"/>
    <method name="PrintStats"/>
    <method name="PrintStatsClear"/>
    <method name="ReloadConfig"/>
    <signal name="VrrpStarted"/>
    <signal name="VrrpReloaded"/>
    <signal name="VrrpStopped"/>
  </interface>
"#;

const INSTANCE_XML: &str = r#"  <interface name="org.keepalived.Vrrp1.Instance">
    <method name="SendGarp"/>
    <signal name="VrrpStatusChange">
      <arg type="u" name="status"/>
    </signal>
    <property type="s" name="Name" access="read"/>
    <property type="(us)" name="State" access="read"/>
  </interface>
"#;

/// One instance on the bus.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) standing: Standing,
}

/// An instance's state in D-Bus's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime::vrrp) enum Standing {
    Init = 0,
    Backup = 1,
    Master = 2,
    Fault = 3,
    /// By a reload, with `notify_deleted`.
    Deleted = 97,
    /// The daemon ends.
    Stop = 98,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Standing::Init => "Init",
            Standing::Backup => "Backup",
            Standing::Master => "Master",
            Standing::Fault => "Fault",
            Standing::Deleted => "Deleted",
            Standing::Stop => "Stopped",
        }
    }
}

/// What clients can have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::vrrp) enum Asked {
    /// Gratuitous ARPs, of the instance at this path.
    Garp(String),
    Data,
    Stats,
    StatsClear,
    Reload,
}

/// `/org/keepalived/Vrrp1/Instance/INTERFACE/VRID/IPv4`; what may not stand in a path becomes `_`.
pub(super) fn path_of(router: &VirtualRouter) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let interface: String = router.interface.chars().map(plain).collect();
    let family = match router.family() {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    format!("{INSTANCES}/{interface}/{}/{family}", router.vrid)
}

/// A method call as it came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) path: &'a str,
    pub(super) interface: Option<&'a str>,
    pub(super) member: &'a str,
    /// Of the arguments, without parentheses.
    pub(super) signature: &'a str,
    /// The leading arguments that are strings, `""` for what isn't there.
    pub(super) words: [&'a str; 2],
}

#[derive(Debug)]
pub(super) enum Answer {
    Done,
    Text(String),
    /// One property.
    Value(Value<'static>),
    /// All properties of an interface.
    Values(BTreeMap<&'static str, Value<'static>>),
    MachineId,
    Error(&'static str, String),
    /// The answer comes when this has been done.
    Ask(Asked),
}

/// What is on the bus, in the order of the config.
#[derive(Debug, Default)]
pub(super) struct Objects(Vec<Object>);

impl Objects {
    /// Puts these in place of what was there; the names of those that are gone.
    pub(super) fn replace(&mut self, new: Vec<Object>) -> Vec<String> {
        let old = std::mem::replace(&mut self.0, new);
        let still: HashSet<&str> = self.0.iter().map(|object| object.path.as_str()).collect();
        old.into_iter().filter(|it| !still.contains(it.path.as_str())).map(|it| it.name).collect()
    }

    pub(super) fn set(&mut self, path: &str, standing: Standing) {
        if let Some(object) = self.0.iter_mut().find(|object| object.path == path) {
            object.standing = standing;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Object> {
        self.0.iter()
    }

    fn find(&self, path: &str) -> Option<&Object> {
        self.0.iter().find(|object| object.path == path)
    }

    /// The standard interfaces' methods come first, some of them at any path; called with other
    /// arguments they aren't known, as with GLib.
    pub(super) fn answer(&self, call: Call) -> Answer {
        let Call { path, interface, member, signature, .. } = call;
        match (interface, member, signature) {
            (Some(INTROSPECTABLE) | None, "Introspect", "") => {
                return Answer::Text(self.introspect(path));
            }
            (Some(PEER) | None, "Ping", "") => return Answer::Done,
            (Some(PEER) | None, "GetMachineId", "") => return Answer::MachineId,
            _ => {}
        }
        let Some(own) = self.own_interface(path) else {
            let text = format!("Object does not exist at path “{path}”");
            return Answer::Error(UNKNOWN_METHOD, text);
        };
        match (interface, member, signature) {
            (Some(PROPERTIES) | None, "Get", "ss") => self.property(call),
            (Some(PROPERTIES) | None, "GetAll", "s") => self.properties(call),
            (Some(PROPERTIES) | None, "Set", "ssv") => self.cannot_set(call),
            (Some(other), _, _) if other != own => {
                let text = format!("No such interface “{other}” on object at path {path}");
                Answer::Error(UNKNOWN_METHOD, text)
            }
            _ => match asked(own, path, member) {
                None => Answer::Error(UNKNOWN_METHOD, format!("No such method “{member}”")),
                Some(asked) if signature.is_empty() => Answer::Ask(asked),
                Some(_) => {
                    let text = format!(
                        "Type of message, “({signature})”, does not match expected type “()”"
                    );
                    Answer::Error(INVALID_ARGS, text)
                }
            },
        }
    }

    /// keepalived's interface of the object at this path, if there is one.
    fn own_interface(&self, path: &str) -> Option<&'static str> {
        match path {
            VRRP => Some(VRRP_INTERFACE),
            _ => self.find(path).map(|_| INSTANCE_INTERFACE),
        }
    }

    fn introspect(&self, path: &str) -> String {
        let mut xml = format!("{HEAD}<node>\n");
        if let Some(own) = self.own_interface(path) {
            xml.push_str(STANDARD_XML);
            xml.push_str(if own == VRRP_INTERFACE { VRRP_XML } else { INSTANCE_XML });
        }
        let above = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let all = self.0.iter().map(|object| object.path.as_str()).chain([VRRP, INSTANCES]);
        let below = all.filter_map(|path| path.strip_prefix(&above)?.split('/').next());
        for child in below.collect::<BTreeSet<_>>() {
            xml.push_str(&format!("  <node name=\"{child}\"/>\n"));
        }
        xml.push_str("</node>\n");
        xml
    }

    fn property(&self, call: Call) -> Answer {
        let [interface, name] = call.words;
        match self.values(call.path, interface) {
            None => no_interface(interface),
            Some(mut values) => match values.remove(name) {
                Some(value) => Answer::Value(value),
                None => Answer::Error(INVALID_ARGS, format!("No such property “{name}”")),
            },
        }
    }

    fn properties(&self, call: Call) -> Answer {
        let [interface, _] = call.words;
        self.values(call.path, interface).map_or_else(|| no_interface(interface), Answer::Values)
    }

    fn cannot_set(&self, call: Call) -> Answer {
        let [interface, name] = call.words;
        match self.values(call.path, interface) {
            None => no_interface(interface),
            Some(values) if values.contains_key(name) => {
                Answer::Error(INVALID_ARGS, format!("Property “{name}” is not writable"))
            }
            Some(_) => Answer::Error(INVALID_ARGS, format!("No such property “{name}”")),
        }
    }

    /// `None`: the object has no such interface with properties.
    fn values(
        &self,
        path: &str,
        interface: &str,
    ) -> Option<BTreeMap<&'static str, Value<'static>>> {
        if self.own_interface(path) != Some(interface) {
            return None;
        }
        let mut values = BTreeMap::new();
        if let Some(object) = self.find(path) {
            let state = (object.standing as u32, object.standing.word());
            values.insert("Name", Value::from((object.name.clone(),)));
            values.insert("State", Value::from(state));
        }
        Some(values)
    }
}

/// By an object's own methods.
fn asked(interface: &str, path: &str, member: &str) -> Option<Asked> {
    Some(match (interface, member) {
        (VRRP_INTERFACE, "PrintData") => Asked::Data,
        (VRRP_INTERFACE, "PrintStats") => Asked::Stats,
        (VRRP_INTERFACE, "PrintStatsClear") => Asked::StatsClear,
        (VRRP_INTERFACE, "ReloadConfig") => Asked::Reload,
        (INSTANCE_INTERFACE, "SendGarp") => Asked::Garp(path.to_owned()),
        _ => return None,
    })
}

fn no_interface(interface: &str) -> Answer {
    Answer::Error(INVALID_ARGS, format!("No such interface “{interface}”"))
}
