// SPDX-License-Identifier: GPL-2.0
/* link_layer=eth: a RoCE device beside what igb or igbvf makes of a function. */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "hca.h"

struct hca_roce {
	struct list_head node;
	struct hca_dev *hca;
};

/* Of one function, it changes only under that function's device lock. */
static LIST_HEAD(roce_list);
static DEFINE_MUTEX(roce_mutex);

static bool is_igb_function(struct pci_dev *pdev)
{
	return pdev->vendor == PCI_VENDOR_ID_INTEL &&
	       (pdev->device == 0x10c9 || pdev->device == 0x10ca);
}

/* The function's link with a reference, in whatever network namespace it is by now. */
static struct net_device *hca_find_netdev(struct pci_dev *pdev)
{
	struct net_device *ndev, *found = NULL;
	struct net *net;

	rtnl_lock();
	down_read(&net_rwsem);
	for_each_net(net) {
		for_each_netdev(net, ndev) {
			if (ndev->dev.parent == &pdev->dev) {
				dev_hold(ndev);
				found = ndev;
				break;
			}
		}
		if (found)
			break;
	}
	up_read(&net_rwsem);
	rtnl_unlock();
	return found;
}

static struct hca_roce *hca_roce_find(struct pci_dev *pdev)
{
	struct hca_roce *roce, *found = NULL;

	mutex_lock(&roce_mutex);
	list_for_each_entry(roce, &roce_list, node)
		if (roce->hca->pdev == pdev)
			found = roce;
	mutex_unlock(&roce_mutex);
	return found;
}

static void hca_roce_add(struct pci_dev *pdev)
{
	struct net_device *ndev;
	struct hca_roce *roce;

	if (hca_roce_find(pdev))
		return;
	ndev = hca_find_netdev(pdev);
	if (!ndev)
		return;
	roce = kzalloc(sizeof(*roce), GFP_KERNEL);
	if (!roce)
		goto put;
	roce->hca = hca_create(pdev, ndev);
	if (IS_ERR(roce->hca)) {
		dev_err(&pdev->dev, "railcni_hca: %pe\n", roce->hca);
		kfree(roce);
		goto put;
	}
	mutex_lock(&roce_mutex);
	list_add(&roce->node, &roce_list);
	mutex_unlock(&roce_mutex);
put:
	dev_put(ndev);
}

static void hca_roce_remove(struct hca_roce *roce)
{
	mutex_lock(&roce_mutex);
	list_del(&roce->node);
	mutex_unlock(&roce_mutex);
	hca_destroy(roce->hca);
	kfree(roce);
}

/*
 * The bus calls this under the function's device lock and without the RTNL: after the driver's
 * probe has made the link, and before its remove takes the link away.
 */
static int hca_bus_event(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct hca_roce *roce;

	if (!is_igb_function(pdev))
		return NOTIFY_DONE;
	if (action == BUS_NOTIFY_BOUND_DRIVER) {
		hca_roce_add(pdev);
	} else if (action == BUS_NOTIFY_UNBIND_DRIVER) {
		roce = hca_roce_find(pdev);
		if (roce)
			hca_roce_remove(roce);
	}
	return NOTIFY_DONE;
}

static struct notifier_block hca_bus_nb = {.notifier_call = hca_bus_event};

int hca_eth_init(void)
{
	struct pci_dev *pdev = NULL;
	int err = bus_register_notifier(&pci_bus_type, &hca_bus_nb);

	if (err)
		return err;
	for_each_pci_dev(pdev) {
		if (!is_igb_function(pdev))
			continue;
		device_lock(&pdev->dev);
		if (pdev->dev.driver)
			hca_roce_add(pdev);
		device_unlock(&pdev->dev);
	}
	return 0;
}

void hca_eth_exit(void)
{
	struct hca_roce *roce, *next;

	bus_unregister_notifier(&pci_bus_type, &hca_bus_nb);
	list_for_each_entry_safe(roce, next, &roce_list, node)
		hca_roce_remove(roce);
}
