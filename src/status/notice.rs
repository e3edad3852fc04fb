//! A change as it is told to scripts, FIFOs and by mail (keepalived.conf(5), `notify` and
//! `notify_fifo`; the mail as 2.2.7 was seen to send it).

use crate::plan::telling::Mail;

/// What happened to an instance or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: Kind,
    pub name: String,
    pub news: News,
    /// The effective one; groups have 0.
    pub priority: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Instance,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Master,
    Backup,
    Fault,
    Stop,
    Deleted,
    /// `notify_priority_changes`
    MasterPriority,
    BackupPriority,
    /// A master has heard of a lower priority.
    MasterRxLowerPriority,
}

impl News {
    /// What scripts and FIFOs call it.
    pub fn word(self) -> &'static str {
        match self {
            News::Master => "MASTER",
            News::Backup => "BACKUP",
            News::Fault => "FAULT",
            News::Stop => "STOP",
            News::Deleted => "DELETED",
            News::MasterPriority => "MASTER_PRIORITY",
            News::BackupPriority => "BACKUP_PRIORITY",
            News::MasterRxLowerPriority => "MASTER_RX_LOWER_PRI",
        }
    }
}

impl Notice {
    fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Instance => "INSTANCE",
            Kind::Group => "GROUP",
        }
    }

    /// What is added to the command of a `notify` script.
    pub fn arguments(&self) -> [String; 4] {
        let (kind, word) = (self.kind().to_owned(), self.news.word().to_owned());
        [kind, self.name.clone(), word, self.priority.to_string()]
    }

    /// `INSTANCE "VI_1" MASTER 100`, with its line end.
    pub fn line(&self) -> String {
        let (kind, word) = (self.kind(), self.news.word());
        format!("{kind} \"{}\" {word} {}\n", self.name, self.priority)
    }

    /// Headers and body. `date` as in RFC 5322, section 3.3. `None`: no mail is sent of this.
    pub fn mail(&self, mail: &Mail, router_id: &str, date: &str) -> Option<String> {
        let state = match self.news {
            News::Master => "Entering MASTER state",
            News::Backup => "Entering BACKUP state",
            News::Fault if mail.faults => "Entering FAULT state",
            News::Deleted => "Deleted",
            _ => return None,
        };
        let (what, body) = match (self.kind, self.news) {
            (Kind::Group, news) => {
                let state = news.word();
                ("Group", format!("All VRRP group instances are now in {state} state"))
            }
            (Kind::Instance, News::Master) => {
                ("Instance", "VRRP Instance is now owning VRRP VIPs".to_owned())
            }
            (Kind::Instance, News::Deleted) => ("Instance", "VRRP Deleted at reload".to_owned()),
            (Kind::Instance, _) => {
                ("Instance", "VRRP Instance is no longer owning VRRP VIPs".to_owned())
            }
        };
        let subject = format!("[{router_id}] VRRP {what} {} - {state}", self.name);
        let headers = [
            ("Date", date.to_owned()),
            ("From", mail.from.clone()),
            ("Subject", subject),
            ("X-Mailer", "Keepalived".to_owned()),
            ("To", mail.to.join(", ")),
        ];
        let header = |(name, value): &(&str, String)| format!("{name}: {}\r\n", one_line(value));
        let headers: String = headers.iter().map(header).collect();
        Some(format!("{headers}\r\n=> {body} <=\r\n"))
    }
}

/// A name from the config must not begin another header.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn notice(kind: Kind, news: News) -> Notice {
        Notice { kind, name: "V 1".to_owned(), news, priority: 100 }
    }

    fn mail() -> Mail {
        Mail {
            to: vec!["a@b".to_owned(), "c@d".to_owned()],
            from: "e@f".to_owned(),
            server: ([192, 0, 2, 1], 25).into(),
            helo: "lab".to_owned(),
            timeout: Duration::from_secs(30),
            faults: false,
        }
    }

    #[test]
    fn lines_and_arguments_are_keepalived_s() {
        let one = notice(Kind::Instance, News::MasterRxLowerPriority);
        assert_eq!(one.line(), "INSTANCE \"V 1\" MASTER_RX_LOWER_PRI 100\n");
        let group = Notice { priority: 0, ..notice(Kind::Group, News::Stop) };
        assert_eq!(group.arguments(), ["GROUP", "V 1", "STOP", "0"]);
    }

    #[test]
    fn no_mail_about_faults_where_none_is_wanted_nor_of_a_stop() {
        for news in [News::Fault, News::Stop, News::BackupPriority] {
            assert_eq!(notice(Kind::Instance, news).mail(&mail(), "id", "now"), None);
        }
    }

    #[test]
    fn a_name_begins_no_header_of_its_own() {
        let mut notice = notice(Kind::Group, News::Master);
        notice.name = "x\r\nBcc: all@example.com".to_owned();
        let text = notice.mail(&mail(), "id", "now").unwrap();
        assert!(!text.contains("\nBcc"), "{text}");
        assert!(
            text.ends_with("\r\n\r\n=> All VRRP group instances are now in MASTER state <=\r\n")
        );
    }
}
