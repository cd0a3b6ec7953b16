//! Users and groups of a root file system, by its own `/etc/passwd` and `/etc/group`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use rbc_source::execute;
use rustix::fs::{FileType, OFlags};

use crate::error::{Fail, Result, failure};
use crate::fs::open_in;

const PASSWD: &str = "etc/passwd";
const GROUP: &str = "etc/group";
/// Longest file that is read.
const MAX: u64 = 10 << 20;

/// Who runs a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub uid: u32,
    pub gid: u32,
    /// All groups, the main one first.
    pub groups: Vec<u32>,
    pub home: String,
}

struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Who `NAME[:GROUP]` is; either may be a number. Empty is root.
///
/// # Errors
/// If a name is in no file.
pub(crate) fn find(root: impl AsFd, spec: &str) -> Result<User> {
    let (user, group) = spec.split_once(':').unwrap_or((spec, ""));
    let user = if user.is_empty() { "0" } else { user };
    let accounts = accounts(root.as_fd())?;
    let number: Option<u32> = user.parse().ok();
    let account = accounts.iter().find(|a| number.map_or(a.name == user, |n| n == a.uid));
    let mut found = match (account, number) {
        (Some(a), _) => User { uid: a.uid, gid: a.gid, groups: Vec::new(), home: a.home.clone() },
        (None, Some(uid)) => User { uid, gid: 0, groups: Vec::new(), home: String::new() },
        (None, None) => {
            let message = format!("there is no user `{user}` in the file system");
            return Err(Box::new((*failure(execute::SANDBOX, message)).note(format!("/{PASSWD} does not list it"))));
        }
    };
    if group.is_empty() {
        if let Some(account) = account {
            let all = groups(root.as_fd())?;
            found.groups = all.iter().filter(|g| g.members.contains(&account.name)).map(|g| g.gid).collect();
        }
    } else {
        let by_number: Option<u32> = group.parse().ok();
        let all = groups(root.as_fd())?;
        let listed = all.iter().find(|g| by_number.map_or(g.name == group, |n| n == g.gid)).map(|g| g.gid);
        found.gid = listed.or(by_number).ok_or_else(|| {
            let message = format!("there is no group `{group}` in the file system");
            Box::new((*failure(execute::SANDBOX, message)).note(format!("/{GROUP} does not list it")))
        })?;
    }
    if !found.groups.contains(&found.gid) {
        found.groups.insert(0, found.gid);
    }
    if found.home.is_empty() {
        found.home = "/".to_owned();
    }
    Ok(found)
}

/// The ids of a user's name, for an owner of files. A name that is not listed is root's, as BuildKit has it.
pub(crate) fn user_ids(root: impl AsFd, name: &str) -> Result<(u32, u32)> {
    Ok(accounts(root.as_fd())?.into_iter().find(|a| a.name == name).map_or((0, 0), |a| (a.uid, a.gid)))
}

/// The id of a group's name, for an owner of files, if it is listed.
pub(crate) fn group_id(root: impl AsFd, name: &str) -> Result<Option<u32>> {
    Ok(groups(root.as_fd())?.into_iter().find(|g| g.name == name).map(|g| g.gid))
}

fn accounts(root: impl AsFd) -> Result<Vec<Account>> {
    let parse = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|n| !n.is_empty())?.to_owned();
        let (uid, gid) = (fields.nth(1)?.trim().parse().ok()?, fields.next()?.trim().parse().ok()?);
        Some(Account { name, uid, gid, home: fields.nth(1).unwrap_or_default().to_owned() })
    };
    Ok(text(root, PASSWD)?.lines().filter_map(parse).collect())
}

fn groups(root: impl AsFd) -> Result<Vec<Group>> {
    let parse = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|n| !n.is_empty())?.to_owned();
        let gid = fields.nth(1)?.trim().parse().ok()?;
        let members = fields.next().unwrap_or_default().split(',').map(|m| m.trim().to_owned()).collect();
        Some(Group { name, gid, members })
    };
    Ok(text(root, GROUP)?.lines().filter_map(parse).collect())
}

fn text(root: impl AsFd, path: &str) -> Result<String> {
    let read = || -> io::Result<Vec<u8>> {
        // Not to wait for the other end of a pipe.
        let fd = match open_in(root, Path::new(path), OFlags::RDONLY | OFlags::NONBLOCK) {
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(Vec::new()),
            outcome => outcome?,
        };
        if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::from(fd).take(MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX {
            return Err(io::Error::other(format!("it has more than {MAX} bytes")));
        }
        Ok(bytes)
    };
    let bytes = read().or_fail(execute::FILES, || format!("read /{path} of the file system"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;
    use std::fs;

    #[test]
    fn names_and_numbers() {
        let folder = Folder::new();
        let etc = folder.path().join("etc");
        fs::create_dir(&etc).unwrap();
        fs::write(
            etc.join("passwd"),
            "root:x:0:0:root:/root:/bin/sh\n# no\nweb:x:33:33:web:/srv:/bin/false\nbad:x:y:z\n",
        )
        .unwrap();
        fs::write(etc.join("group"), "root:x:0:\nweb:x:33:\nlog:x:40:web,other\nadm:x:4:root\n").unwrap();
        let root = crate::fs::open_dir(folder.path()).unwrap();
        let user = |spec: &str| find(&root, spec).map(|u| (u.uid, u.gid, u.groups, u.home));
        assert_eq!(user("").unwrap(), (0, 0, vec![0, 4], "/root".into()));
        assert_eq!(user("web").unwrap(), (33, 33, vec![33, 40], "/srv".into()));
        assert_eq!(user("33").unwrap(), (33, 33, vec![33, 40], "/srv".into()));
        assert_eq!(user("web:log").unwrap(), (33, 40, vec![40], "/srv".into()));
        assert_eq!(user("1000").unwrap(), (1000, 0, vec![0], "/".into()));
        assert_eq!(user("1000:77").unwrap(), (1000, 77, vec![77], "/".into()));
        assert!(user("nobody").is_err());
        assert!(user("web:nogroup").is_err());
        assert_eq!(user_ids(&root, "web").unwrap(), (33, 33));
        assert_eq!(user_ids(&root, "nobody").unwrap(), (0, 0));
        assert_eq!(group_id(&root, "log").unwrap(), Some(40));
        fs::remove_file(etc.join("passwd")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", etc.join("passwd")).unwrap();
        assert_eq!(user("7:8").unwrap().0, 7, "a link that leads nowhere inside the root is no file");
    }
}
