//! What came of a folder of cases.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The aspects in which a case can differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// `definition`, `image`, `warnings`, ...
    pub aspect: &'static str,
    /// What differs, in a line.
    pub what: String,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// The suite that it is of.
    pub suite: String,
    /// Features that it uses.
    pub features: Vec<String>,
    /// How it differs; empty if it does not.
    pub differences: Vec<Difference>,
}

/// A folder of cases.
#[derive(Clone, Debug)]
pub struct Report {
    /// What kind of cases.
    pub kind: &'static str,
    /// All of them.
    pub cases: Vec<Case>,
    /// How many of a hundred cases of a suite must be as recorded; of a suite that is not named here all must.
    pub bars: Vec<(&'static str, usize)>,
}

impl Report {
    /// Whether as few cases differ as must.
    pub fn is_clean(&self) -> bool {
        let bar = |suite: &str| self.bars.iter().find(|(name, _)| *name == suite).map_or(100, |(_, bar)| *bar);
        self.groups(|c| vec![&c.suite]).into_iter().all(|(suite, (all, same))| same * 100 >= all * bar(suite))
    }

    fn groups<'a>(&'a self, keys: impl Fn(&'a Case) -> Vec<&'a str>) -> BTreeMap<&'a str, (usize, usize)> {
        let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for case in &self.cases {
            for key in keys(case) {
                let group = groups.entry(key).or_default();
                group.0 += 1;
                group.1 += usize::from(case.differences.is_empty());
            }
        }
        groups
    }

    fn aspects(&self) -> BTreeMap<&'static str, usize> {
        let mut aspects = BTreeMap::new();
        for case in &self.cases {
            let mut seen: Vec<&str> = case.differences.iter().map(|d| d.aspect).collect();
            seen.sort_unstable();
            seen.dedup();
            for difference in &case.differences {
                if let Some(i) = seen.iter().position(|s| *s == difference.aspect) {
                    seen.remove(i);
                    *aspects.entry(difference.aspect).or_default() += 1;
                }
            }
        }
        aspects
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let group = |groups: BTreeMap<&str, (usize, usize)>| -> Value {
            groups
                .into_iter()
                .map(|(k, (all, same))| (k.to_owned(), json!({ "cases": all, "identical": same })))
                .collect()
        };
        let differing: Vec<Value> = self
            .cases
            .iter()
            .filter(|c| !c.differences.is_empty())
            .map(|c| {
                let differences: Vec<Value> =
                    c.differences.iter().map(|d| json!({ "aspect": d.aspect, "what": d.what })).collect();
                json!({ "id": c.id, "suite": c.suite, "differences": differences })
            })
            .collect();
        json!({
            "kind": self.kind,
            "cases": self.cases.len(),
            "identical": self.cases.len() - differing.len(),
            "suites": group(self.groups(|c| vec![&c.suite])),
            "features": group(self.groups(|c| c.features.iter().map(String::as_str).collect())),
            "aspects": self.aspects(),
            "different": differing,
        })
    }

    /// As tables, with the first differing cases.
    pub fn print(&self, list: usize) {
        let same = self.cases.iter().filter(|c| c.differences.is_empty()).count();
        println!("{}: {same} of {} cases are identical", self.kind, self.cases.len());
        let table = |title: &str, groups: BTreeMap<&str, (usize, usize)>, all: bool| {
            println!("  {title:<36} cases identical different");
            for (name, (cases, same)) in groups {
                if all || cases != same {
                    println!("  {name:<36} {cases:>5} {same:>9} {:>9}", cases - same);
                }
            }
        };
        table("suite", self.groups(|c| vec![&c.suite]), true);
        if !self.is_clean() {
            table("feature", self.groups(|c| c.features.iter().map(String::as_str).collect()), false);
        }
        for (aspect, count) in self.aspects() {
            println!("  {count} differ in: {aspect}");
        }
        for case in self.cases.iter().filter(|c| !c.differences.is_empty()).take(list) {
            for difference in &case.differences {
                println!("  {} {}: {}", case.id, difference.aspect, difference.what);
            }
        }
    }
}
