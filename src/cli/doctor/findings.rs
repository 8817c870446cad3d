//! What was found, and how it is told.

use std::path::Path;

use serde::Serialize;

use crate::jose::seal::is_private;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Warning,
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) status: Level,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Finding {
            check,
            status: Level::Ok,
            message: message.into(),
            remedy: None,
        });
    }

    pub(super) fn warn(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(Finding {
            check,
            status: Level::Warning,
            message: message.into(),
            remedy: Some(remedy.into()),
        });
    }

    pub(super) fn fail(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(Finding {
            check,
            status: Level::Failure,
            message: message.into(),
            remedy: Some(remedy.into()),
        });
    }

    pub(super) fn worst(&self) -> Level {
        self.0
            .iter()
            .map(|finding| finding.status)
            .max()
            .unwrap_or(Level::Ok)
    }
}

pub(super) fn private_file(check: &'static str, path: &Path, findings: &mut Findings) {
    match is_private(path) {
        Ok(true) => {}
        Ok(false) => findings.warn(
            check,
            format!("{} is open to other users of this machine", path.display()),
            format!("chmod 600 {}", path.display()),
        ),
        Err(error) => findings.warn(
            check,
            format!("the mode of {} can't be read: {error}", path.display()),
            "correct the path, or the mode of the directories that lead there",
        ),
    }
}

pub(super) fn text(findings: &Findings) -> String {
    let mut lines = Vec::new();
    for finding in &findings.0 {
        let mark = match finding.status {
            Level::Ok => "ok     ",
            Level::Warning => "warning",
            Level::Failure => "FAILURE",
        };
        lines.push(format!(
            "{mark}  {:<15}  {}",
            finding.check, finding.message
        ));
        if let Some(remedy) = &finding.remedy {
            lines.push(format!("{:26}→ {remedy}", ""));
        }
    }
    lines.join("\n")
}
